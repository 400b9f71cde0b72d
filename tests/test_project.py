"""What a newcomer, a librarian or a tool reads about the project agrees with pyproject.toml."""

import json
import re
from datetime import date

import pytest
import yaml
from conftest import ROOT

import siamese_utils as su

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CODEMETA = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
PAPER = "Architectures for Siamese Neural Networks"
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_licence_is_mit_everywhere():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n\nCopyright (c) 2026 the authors of")
    assert PROJECT["license"] == CITATION["license"] == "MIT"
    assert CODEMETA["license"].rpartition("/")[2] == "MIT"
    assert all((ROOT / name).is_file() for name in PROJECT["license-files"])


def test_name_version_words_and_authors_agree():
    assert PROJECT["version"] == su.__version__ == CITATION["version"] == CODEMETA["version"]
    assert f"{CITATION['title']}." == f"{PROJECT['name']}: {PROJECT['description']}"
    assert (CODEMETA["name"], CODEMETA["description"]) == (PROJECT["name"], PROJECT["description"])
    assert PROJECT["keywords"] == CITATION["keywords"] == CODEMETA["keywords"]
    assert [each["name"] for each in PROJECT["authors"]] == [each["name"] for each in CITATION["authors"]]
    assert [each["name"] for each in PROJECT["authors"]] == [each["name"] for each in CODEMETA["author"]]
    assert CODEMETA["runtimePlatform"] == f"Python {PROJECT['requires-python']}"


def test_the_citation_is_one_and_names_the_paper_and_its_author():
    """The keys that version 1.2.0 of the Citation File Format asks for; a DOI has the form of one."""
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["message"]
    for reference in CITATION["references"]:
        assert {"type", "title", "authors"} <= reference.keys()
        assert re.fullmatch(r"10\.\d{4,9}/\S+", reference.get("doi", "10.1000/none"))
    paper = CITATION["references"][0]
    assert paper["title"] == CODEMETA["referencePublication"]["name"] == PAPER
    assert paper["authors"][0]["family-names"] == "Nithyanantham"
    header = ROOT / "siamese_utils" / "report" / "templates" / "header.html.j2"
    assert f'"{paper["repository-code"]}"' in header.read_text(encoding="utf-8")
    assert "doi" not in paper
    assert "year" not in paper


def test_codemeta_has_its_context_and_type():
    assert CODEMETA["@context"] == "https://w3id.org/codemeta/3.0"
    assert CODEMETA["@type"] == "SoftwareSourceCode"


def test_a_classifier_stands_for_every_python():
    lowest, highest = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()
    named = [words.rpartition(" ")[2] for words in PROJECT["classifiers"] if words.startswith("Programming Language")]
    assert named == [f"3.{minor}" for minor in range(int(lowest), int(highest))]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_can_be_filled_in(path):
    """The keys that GitHub's syntax for issue forms asks for."""
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_there_is_a_form_for_each_of_three_things_and_a_pull_request():
    assert {path.stem for path in FORMS} == {"bug", "wrong-result", "question"}
    assert "- [ ]" in (ROOT / ".github" / "pull_request_template.md").read_text(encoding="utf-8")


def test_the_changelog_has_the_form_that_it_names():
    """What is not released stands on top; versions are dated and fall; changes are of the known kinds."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *released = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert first == "[Unreleased]"
    dates = [re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d)", words)[1] for words in released]
    assert [date.fromisoformat(day) for day in dates] == sorted(map(date.fromisoformat, dates), reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds


def test_contributing_is_five_commands():
    (commands,) = re.findall(r"```sh\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(commands.splitlines()) == 5
