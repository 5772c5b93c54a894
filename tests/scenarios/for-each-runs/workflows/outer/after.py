def after(made: list[dict[str, str]]) -> int:
    return len({each["run"] for each in made})
