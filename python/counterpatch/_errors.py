"""Exceptions and warnings of the package. The native part raises them too."""


class Error(Exception):
    """There is no answer. The message names the place and, where there is one, the remedy."""


class InputError(Error, ValueError):
    """A network, a property or an argument cannot be used, or they do not belong together."""


class PropertyWarning(UserWarning):
    """A property says something that its author hardly meant, such as swapped bounds: the verdict may mislead."""
