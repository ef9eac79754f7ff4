"""Users and `:groups` in lists. A server takes names that nobody has, since somebody may come."""

from collections.abc import Collection, Iterable

EVERYBODY = frozenset({":ANONYMOUS:", ":AUTHENTICATED:"})


def names(entries: Iterable[str]) -> list[str]:
    """The users and `:groups` among the entries of a list, each once; everybody is neither."""
    return list(dict.fromkeys(entry for entry in entries if entry.upper() not in EVERYBODY))


def nobody(entries: Iterable[str], known: Collection[str]) -> list[str]:
    """A sentence for each name that is none of the users and `:groups` that are known."""
    return [_no_such(name, known) for name in names(entries) if name not in known]


def _no_such(name: str, known: Collection[str]) -> str:
    is_group = name.startswith(":")
    other = name.removeprefix(":") if is_group else f":{name}"
    sentence = f"There is no {'group' if is_group else 'user'} {name}"
    return f"{sentence}; did you mean {other}?" if other in known else f"{sentence}."
