"""The expression language inside `${}`: text → tree. A Pratt parser over a small tokenizer.

    or < and < not < in == != < <= > >= < + - < * / // % < unary - < a.b a[b] f(x)

Comparisons do not chain, as there is no telling what `1 < 2 < 3` should mean.
"""

from __future__ import annotations

from dataclasses import dataclass

from onward.local.gcw.tokens import ExpressionError, Token, tokenize, unescaped

MAX_LENGTH = 400
"""Characters of one expression: Workflows' own limit."""
MAX_DEPTH = 50

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
BINDING = {
    **{"or": 1, "and": 2},
    **dict.fromkeys(COMPARISONS, 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "//", "%"), 6),
}
NOT, NEGATION = 3, 7
KEYWORDS = frozenset({"and", "or", "not", "in"})
CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL"), None),
}


@dataclass(frozen=True, slots=True)
class Literal:
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    base: Expression
    key: str


@dataclass(frozen=True, slots=True)
class Index:
    base: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression


Expression = Literal | Name | Member | Index | Call | ListOf | Unary | Binary


def parse(text: str) -> Expression:
    """The tree of `text`, the part between `${` and `}`. ExpressionError says what is wrong and where."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression has {len(text)} characters; the limit is {MAX_LENGTH}")
    return _Parser(text).whole()


def dotted(expression: Expression) -> str | None:
    """`a.b.c` as text when the expression is nothing but names joined by dots."""
    match expression:
        case Name(name):
            return name
        case Member(base, key):
            head = dotted(base)
            return None if head is None else f"{head}.{key}"
        case _:
            return None


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = tokenize(text)
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def whole(self) -> Expression:
        expression = self.expression(0)
        if self.token.kind != "end":
            raise self.wrong("an operator")
        return expression

    def wrong(self, expected: str) -> ExpressionError:
        found = "the end" if self.token.kind == "end" else f"`{self.token.text}`"
        return ExpressionError(f"{expected} was expected at column {self.token.column}, found {found}")

    def take(self) -> Token:
        token = self.token
        self.at += 1
        return token

    def accept(self, text: str) -> bool:
        if self.token.kind in ("operator", "name") and self.token.text == text:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.wrong(f"`{text}`")

    def expression(self, minimum: int) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"the expression is nested more than {MAX_DEPTH} deep")
        left = self.prefix()
        while (power := BINDING.get(self.token.text, 0)) > minimum:
            operator = self.take().text
            left = Binary(operator, left, self.expression(power))
            if operator in COMPARISONS and self.token.text in COMPARISONS:
                raise ExpressionError(f"comparisons do not chain (column {self.token.column}): use `and`")
        self.depth -= 1
        return left

    def prefix(self) -> Expression:
        if self.accept("not"):
            return Unary("not", self.expression(NOT - 1))
        if self.accept("-"):
            return Unary("-", self.expression(NEGATION - 1))
        return self.postfix(self.atom())

    def postfix(self, base: Expression) -> Expression:
        while True:
            if self.accept("."):
                if self.token.kind != "name":
                    raise self.wrong("a field name")
                base = Member(base, self.take().text)
            elif self.accept("["):
                base = Index(base, self.expression(0))
                self.expect("]")
            elif self.token.text == "(" and (function := dotted(base)) is not None:
                self.take()
                base = Call(function, self.items(")"))
            else:
                return base

    def atom(self) -> Expression:
        if self.accept("("):
            inner = self.expression(0)
            self.expect(")")
            return inner
        if self.accept("["):
            return ListOf(self.items("]"))
        if self.token.kind not in ("number", "string", "name") or self.token.text in KEYWORDS:
            raise self.wrong("a value")
        token = self.take()
        match token.kind:
            case "number":
                return Literal(int(token.text) if token.text.isdigit() else float(token.text))
            case "string":
                return Literal(unescaped(token))
            case _:
                return Literal(CONSTANTS[token.text]) if token.text in CONSTANTS else Name(token.text)

    def items(self, close: str) -> tuple[Expression, ...]:
        if self.accept(close):
            return ()
        items = [self.expression(0)]
        while self.accept(","):
            items.append(self.expression(0))
        self.expect(close)
        return tuple(items)
