def convert(file: str, part: str, place: int) -> str:
    return f"{place} {file.rpartition('/')[2]} {part}"


def listed(made: list[str]) -> list[str]:
    return made
