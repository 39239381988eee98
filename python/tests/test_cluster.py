"""The job of the book's page on clusters is one that Kubernetes takes."""

import pathlib
import re

import kubernetes_validate
import yaml

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "src" / "clusters.md"


def job() -> dict:
    (text,) = re.findall(r"```yaml,file=job.yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return yaml.safe_load(text)


def test_the_job_fits_the_schema() -> None:
    kubernetes_validate.validate(job(), "1.28", strict=True)


def test_a_job_with_a_wrong_field_does_not() -> None:
    wrong = job()
    wrong["spec"]["completionsMode"] = wrong["spec"].pop("completionMode")
    try:
        kubernetes_validate.validate(wrong, "1.28", strict=True)
    except kubernetes_validate.ValidationError:
        return
    raise AssertionError("a misspelt field was not seen")


def test_shards_are_as_many_as_pods() -> None:
    spec = job()["spec"]
    (line,) = spec["template"]["spec"]["containers"][0]["args"]
    (parts,) = re.findall(r"--shard \$JOB_COMPLETION_INDEX/(\d+)", line)
    assert int(parts) == spec["completions"]
