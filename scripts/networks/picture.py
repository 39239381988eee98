"""The picture of the README: images, what the method of patching makes of them, and the difference.

usage: counterpatch attack tests/data/shapes_mlp.onnx --images tests/data/shapes.npz --method patch --output out/shapes
       python3 scripts/networks/picture.py out/shapes/adversarial.npz docs/src/patch.png    (numpy, pillow)
"""

import sys

import numpy as np
from PIL import Image

SIDE, SCALE, GAP = 8, 14, 10
"""Pixels of an image's side, of a pixel, and between images."""
SHOWN = 4


def blown_up(values):
    """A picture of values from 0 to 1."""
    image = Image.fromarray((255 * np.clip(values, 0, 1)).astype(np.uint8).reshape(SIDE, SIDE))
    return image.resize((SIDE * SCALE, SIDE * SCALE), Image.NEAREST).convert("RGB")


def difference(before, after):
    """Red where a pixel has become brighter, blue where darker, grey where it is the same."""
    change = (after - before).reshape(SIDE, SIDE)
    up, down = np.clip(change, 0, 1), np.clip(-change, 0, 1)
    colours = np.stack([1 - down, 1 - up - down, 1 - up], axis=-1)
    image = Image.fromarray((235 * np.clip(colours, 0, 1)).astype(np.uint8))
    return image.resize((SIDE * SCALE, SIDE * SCALE), Image.NEAREST)


def main(source, target):
    table = np.load(source)
    changed = (table["originals"] != table["inputs"]).sum(axis=1)
    # The ones with the fewest changed pixels, each of another class.
    chosen = {}
    for row in np.argsort(changed, kind="stable"):
        chosen.setdefault(int(table["labels"][row]), row)
    step = SIDE * SCALE + GAP
    sheet = Image.new("RGB", (SHOWN * (3 * step + GAP) - GAP, SIDE * SCALE), "white")
    for place, row in enumerate(list(chosen.values())[:SHOWN]):
        before, after = table["originals"][row], table["inputs"][row]
        for part, image in enumerate([blown_up(before), blown_up(after), difference(before, after)]):
            sheet.paste(image, (place * (3 * step + GAP) + part * step, 0))
    sheet.save(target, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
