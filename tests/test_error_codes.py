import pytest

from iot_northbound.error_codes import ERROR_CODES, SDK_CODES, ErrorCode, Kind, explain
from iot_northbound.errors import BY_KIND, SdkCode, class_for
from tests.facts import ERROR_CODES as DOCUMENTED


def test_every_documented_code_is_there_and_no_other() -> None:
    assert set(ERROR_CODES) == set(DOCUMENTED)


@pytest.mark.parametrize("code", DOCUMENTED)
def test_a_code_has_its_documented_statuses(code: str) -> None:
    assert ERROR_CODES[code].code == code
    assert sorted(ERROR_CODES[code].statuses) == sorted(DOCUMENTED[code]["http"])


@pytest.mark.parametrize("known", [*ERROR_CODES.values(), *SDK_CODES.values()], ids=lambda known: known.code)
def test_a_code_is_explained_in_sentences(known: ErrorCode) -> None:
    for text in (known.meaning, known.cause, known.remedy):
        assert len(text.split()) >= 2
        assert text.endswith(".")
        assert text == text.strip()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("100403", Kind.NOT_FOUND),
        ("100418", Kind.NOT_FOUND),
        ("100434", Kind.NOT_FOUND),
        ("100603", Kind.NOT_FOUND),
        ("105005", Kind.NOT_FOUND),
        ("123002", Kind.NOT_FOUND),
        ("123009", Kind.NOT_FOUND),
        ("100225", Kind.NOT_FOUND),
        ("100416", Kind.ALREADY_EXISTS),
        ("100426", Kind.ALREADY_EXISTS),
        ("100227", Kind.ALREADY_EXISTS),
        ("100602", Kind.ALREADY_EXISTS),
        ("100203", Kind.NOT_AUTHORIZED),
        ("100208", Kind.NOT_AUTHORIZED),
        ("100217", Kind.NOT_AUTHORIZED),
        ("1010005", Kind.BAD_TOKEN),
        ("101005", Kind.BAD_TOKEN),
        ("1010009", Kind.THROTTLED),
        ("101009", Kind.THROTTLED),
        ("100022", Kind.INVALID_ARGUMENT),
        ("50400", Kind.INVALID_ARGUMENT),
        ("123028", Kind.INVALID_ARGUMENT),
        ("100428", Kind.DEVICE_OFFLINE),
        ("100450", Kind.DEVICE_OFFLINE),
        ("100223", Kind.QUOTA_REACHED),
        ("100412", Kind.QUOTA_REACHED),
        ("100501", Kind.PLATFORM_FAILURE),
        ("50252", Kind.PLATFORM_FAILURE),
        ("100435", Kind.OTHER),
        ("100611", Kind.OTHER),
    ],
)
def test_kinds_follow_the_meaning(code: str, kind: Kind) -> None:
    assert ERROR_CODES[code].kind is kind
    if kind is not Kind.OTHER:
        # By code before status: 200 and 500 are documented for several of these.
        assert class_for(code, 200) is class_for(code, 500) is BY_KIND[kind]


def test_server_faults_are_never_the_callers() -> None:
    """A code documented under 5xx alone may not tell the caller that an argument is wrong."""
    for known in ERROR_CODES.values():
        if min(known.statuses) >= 500:
            assert known.kind not in {Kind.INVALID_ARGUMENT, Kind.NOT_FOUND, Kind.BAD_TOKEN}, known.code


def test_not_found_statuses_mean_not_found() -> None:
    wrong = {known.code for known in ERROR_CODES.values() if known.statuses == (404,) and known.kind != "not_found"}
    assert wrong == {"100444"}  # the profile's service, as 100431: an argument that does not fit the device


def test_the_sdks_own_codes_are_explained() -> None:
    named = {value for name, value in vars(SdkCode).items() if name.isupper()}
    assert set(SDK_CODES) == named == {str(code) for code in range(1001, 1015)}
    assert "with statement" in SDK_CODES["1009"].remedy


def test_explain_looks_in_both_catalogues() -> None:
    assert explain("100403") is ERROR_CODES["100403"]
    assert explain("1007") is SDK_CODES["1007"]
    assert explain("999999") is None
    assert not set(ERROR_CODES) & set(SDK_CODES)


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ERROR_CODES["1"] = ERROR_CODES["100403"]  # type: ignore[index]
