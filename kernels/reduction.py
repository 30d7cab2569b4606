"""A formula with what is known put in: tests decided, and what no longer matters left out.

A conditional whose test is known makes way for the branch taken, ``and`` and ``or`` for what decides them. Nothing else
is rewritten: what is left gives the same bits, of the same type.
"""

import ast
import functools
from collections.abc import Mapping
from dataclasses import replace

from kernels.evaluate import Kinds, Number, Words, result
from kernels.language import Formula, Kind, kind_in


@functools.lru_cache(maxsize=4096)
def deciding(formula: Formula) -> tuple[str, ...]:
    """The parameters that the tests in a formula look at, by way of steps or not."""
    behind = {name: {name} for name in formula.parameters}  # the parameters that each name comes from
    found: set[str] = set()
    for name, value in [*formula.steps, ("", formula.result)]:
        read, tested = _read(value)
        found.update(*(behind[n] for n in tested))
        behind[name] = set().union(*(behind[n] for n in read))
    return tuple(p for p in formula.parameters if p in found)


def reduced(formula: Formula, known: Mapping[str, Number], kinds: Kinds, words: Words) -> Formula:
    """The formula with its tests decided as far as these parameters decide them; itself where they decide none."""
    # in hexadecimal: 0.0 equals -0.0, and may decide otherwise
    key = tuple((name, value.hex() if isinstance(value, float) else value) for name, value in known.items())
    return _reduced(formula, key, kinds, words)


@functools.lru_cache(maxsize=4096)
def _reduced(formula: Formula, known: tuple[tuple[str, int | str], ...], kinds: Kinds, words: Words) -> Formula:
    reducer = _Reducer({n: float.fromhex(v) if isinstance(v, str) else v for n, v in known}, dict(kinds), dict(words))
    steps = tuple((name, reducer.step(name, value)) for name, value in formula.steps)
    found = _trimmed(replace(formula, steps=steps, result=reducer.expression(formula.result)))
    return formula if found == formula else found


class _Reducer:
    """Reduces the expressions of one formula in turn; knows the values and types of what stands before them."""

    def __init__(self, known: dict[str, Number], kinds: dict[str, Kind], words: Mapping[str, tuple[str, ...]]) -> None:
        self.known, self.kinds, self.words = known, kinds, words

    def step(self, name: str, node: ast.expr) -> ast.expr:
        """A step, reduced; what stands behind it may use it."""
        kind = self._kind(node)
        found = self.expression(node)
        value = self._value(found)
        self.known.pop(name, None)  # a step may bear the name of what was there before
        self.known |= {} if value is None else {name: value}
        self.kinds[name] = kind
        return found

    def expression(self, node: ast.expr) -> ast.expr:
        """An expression that comes to the same number, of the same type; the very same where nothing is decided."""
        return self._reduce(node, False)

    def _reduce(self, node: ast.expr, is_test: bool) -> ast.expr:
        """is_test: all that matters is whether it holds, not which number says so."""
        match node:
            case ast.Name():
                value = self._value(node) if is_test else None
                return node if value is None else ast.Constant(bool(value))
            case ast.Constant():
                return node
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._reduce(operand, True)
                if isinstance(inner, ast.Constant):
                    return ast.Constant(not inner.value)
                return _unless_same(node, ast.UnaryOp(node.op, inner))
            case ast.BoolOp():
                return self._joined(node, is_test)
            case ast.IfExp():
                return self._chosen(node, is_test)
        found = self._inside(node)
        value = self._value(found) if isinstance(found, ast.Compare) else None
        return found if value is None else ast.Constant(bool(value))

    def _inside(self, node: ast.expr) -> ast.expr:
        """Arithmetic, a call or a comparison, its parts reduced."""
        fields = dict(ast.iter_fields(node))
        for name, value in fields.items():
            if isinstance(value, ast.expr):
                fields[name] = self.expression(value)
            elif isinstance(value, list):
                fields[name] = [self.expression(part) if isinstance(part, ast.expr) else part for part in value]
        return _unless_same(node, type(node)(**fields))

    def _chosen(self, node: ast.IfExp, is_test: bool) -> ast.expr:
        """The branch that a conditional takes, of the type of the whole; both where the test is not decided."""
        test = self._reduce(node.test, True)
        if not isinstance(test, ast.Constant):
            body, orelse = self._reduce(node.body, is_test), self._reduce(node.orelse, is_test)
            return _unless_same(node, ast.IfExp(test, body, orelse))
        branch = node.body if test.value else node.orelse
        taken = self._reduce(branch, is_test)
        whole, kind = self._kind(node), self._kind(branch)
        if kind == "bool" and whole != "bool":
            taken = ast.UnaryOp(ast.UAdd(), taken)  # a comparison is no number to numba's float
        if kind != "float" and whole == "float":
            taken = ast.Call(ast.Name("float", ast.Load()), [taken], [])
        return taken

    def _joined(self, node: ast.BoolOp, is_test: bool) -> ast.expr:
        """What is left of a conjunction or disjunction without the parts that make no difference.

        It comes to the part that decides it. A flag may be another number than 0 and 1, so among flags a part stays
        where leaving it out might change the number.
        """
        conjunction = isinstance(node.op, ast.And)
        parts = [self._reduce(part, is_test) for part in node.values]
        plain = is_test or all(map(_is_zero_or_one, parts))
        left: list[ast.expr] = []
        for k, part in enumerate(parts):
            value = self._value(part) if isinstance(part, ast.Name | ast.Constant) else None
            if value is None:
                left.append(part)
            elif bool(value) is not conjunction:  # it decides the whole
                if plain or conjunction:
                    return ast.Constant(not conjunction)
                left.append(part)
                break
            elif conjunction and not plain and k == len(parts) - 1:  # it is what the others, holding, come to
                left.append(part)
        if len(left) > 1:
            return _unless_same(node, ast.BoolOp(node.op, left))
        return left[0] if left else ast.Constant(conjunction)

    def _value(self, node: ast.expr) -> Number | None:
        """What an expression comes to, None where that is not known."""
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name):
                return self.known.get(name)
            case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[ast.Constant(value=str() as word)]):
                code = self.known.get(name)  # most tests are of words, and need no arithmetic
                return None if code is None else (code == self.words[name].index(word)) is isinstance(op, ast.Eq)
        names = tuple(sorted(_names(node)))
        if not self.known.keys() >= set(names):
            return None
        kinds = tuple((name, self.kinds[name]) for name in names)
        words = tuple((name, self.words[name]) for name in names if name in self.words)
        return result(Formula("part", names, (), node), kinds, words, self.known)

    def _kind(self, node: ast.expr) -> Kind:
        return kind_in(node, self.kinds, self.words)


def _parts(node: ast.expr) -> list[ast.expr]:
    """The expressions that one is made of; the name of a function is none."""
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.BoolOp(values=values):
            return values
        case ast.Compare(left=left, comparators=comparators):
            return [left, *comparators]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return [test, body, orelse]
        case ast.Call(args=arguments):
            return arguments
    return []


def _names(node: ast.expr) -> set[str]:
    """The names that an expression reads."""
    return _read(node)[0]


def _read(node: ast.expr) -> tuple[set[str], set[str]]:
    """The names that an expression reads, and those of them that its tests look at."""
    names: set[str] = set()
    tested: set[str] = set()
    stack = [(node, False)]
    while stack:
        part, in_test = stack.pop()
        if isinstance(part, ast.Name):
            names.add(part.id)
            if in_test:
                tested.add(part.id)
        elif isinstance(part, ast.IfExp):
            stack += [(part.test, True), (part.body, in_test), (part.orelse, in_test)]
        else:
            in_test = in_test or isinstance(part, ast.Compare | ast.BoolOp) or _is_not(part)
            stack += [(inner, in_test) for inner in _parts(part)]
    return names, tested


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _is_zero_or_one(node: ast.expr) -> bool:
    """Whether an expression is seen to be no other number; a flag may be any that a formula gave it."""
    match node:
        case ast.BoolOp(values=values):
            return all(map(_is_zero_or_one, values))
        case ast.IfExp(body=body, orelse=orelse):
            return _is_zero_or_one(body) and _is_zero_or_one(orelse)
        case ast.Constant(value=value):
            return isinstance(value, bool)
    return isinstance(node, ast.Compare) or _is_not(node)


def _unless_same(node: ast.expr, new: ast.expr) -> ast.expr:
    """The new node, or the old one where their parts are the very same."""
    old_parts, new_parts = _parts(node), _parts(new)
    same = len(old_parts) == len(new_parts) and all(a is b for a, b in zip(old_parts, new_parts, strict=True))
    return node if same else new


def _trimmed(formula: Formula) -> Formula:
    """The formula without the steps and parameters that its result does not need."""
    needed = _names(formula.result)
    steps: list[tuple[str, ast.expr]] = []
    for name, value in reversed(formula.steps):
        if name in needed:
            needed.remove(name)  # what a step reads under its own name is from before it
            needed |= _names(value)
            steps.insert(0, (name, value))
    return replace(formula, parameters=tuple(p for p in formula.parameters if p in needed), steps=tuple(steps))
