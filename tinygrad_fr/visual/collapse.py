"""Which quantities share a box, so that a graph of a thousand nodes can be read.

First the modules: one box for each, as deep in the model as the room allows. Where that is not enough, links of a chain that
repeat are drawn once; then what has no name and enters one result only joins that result; then what has a name; at last,
what comes one after the other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tinygrad_fr.visual.snapshot import Snapshot, Vertex

LARGEST = 60
"""A graph of more quantities than this is collapsed."""

ROOM = 30
"""A collapsed graph has no more boxes than this, where that can be done."""

RUNS = 12
"""So many boxes can be read where each is linked to each."""


@dataclass(slots=True)
class Group:
    """Quantities that are drawn in one box.

    Attributes:
        members: the vertices, by creation; a group of one is drawn as it is.
        module: the path of the module they are; None for others.
        last: the path of the last of the modules that repeat.
        repeats: how often the same is repeated.
    """

    members: list[Vertex]
    module: str | None = None
    last: str | None = None
    repeats: int = 1
    pattern: list[Group] = field(default_factory=list)

    @property
    def id(self) -> int:
        """The id of the result that is used elsewhere: the last one."""
        return self.members[-1].id


def grouped(snapshot: Snapshot, collapse: bool | None, depth: int | None) -> list[Group]:
    """The boxes of a drawing, in the order of creation of what comes out of them.

    Args:
        snapshot: the graph.
        collapse: False for one box a quantity; True for one a module; None to collapse only more than `LARGEST` quantities.
        depth: how many steps of a module's path are told apart; as many as the room allows, if None.
    """
    if collapse is None:
        collapse = len(snapshot) > LARGEST
    if not collapse:
        return [Group([vertex]) for vertex in snapshot]
    deepest = max((v.module.count(".") + 1 for v in snapshot if v.module), default=0)
    for steps in [depth] if depth is not None else range(max(deepest, 1), 0, -1):
        groups = _by_module(snapshot, steps)
        if len(groups) <= ROOM:
            break
    known = any(group.module for group in groups)
    if len(groups) > ROOM:
        groups = _repeated(snapshot, groups)
    for named in (False, True):
        if len(groups) > ROOM or not (known or named):
            groups = _folded(snapshot, groups, named)
    if len(groups) > ROOM:
        groups = _in_runs(groups)
    return groups


def _by_module(snapshot: Snapshot, steps: int) -> list[Group]:
    """One group for each module that has no modules within, or is that deep; and the numbers with what they enter."""
    outer = {path.rpartition(".")[0] for path in (v.module for v in snapshot) if path}
    outer = {".".join(path.split(".")[:n]) for path in outer for n in range(1, steps)}
    groups: dict[str | int, Group] = {}
    key_of: dict[int, str | int] = {}
    for vertex in reversed(snapshot.vertices):
        path = ".".join((vertex.module or "").split(".")[:steps])
        key: str | int = path if path and path not in outer and vertex is not snapshot.loss else vertex.id
        users = {key_of[link.target] for link in snapshot.uses_of(vertex.id)}
        if vertex.kind == "number" and len(users) == 1:
            key = users.pop()
        key_of[vertex.id] = key
        groups.setdefault(key, Group([], key if isinstance(key, str) else None)).members.insert(0, vertex)
    return _sorted(list(groups.values()))


def _sorted(groups: list[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: group.id)


def _repeated(snapshot: Snapshot, groups: list[Group]) -> list[Group]:
    """Links of a chain that repeat (a layer and its activation, fifty times) become one group."""
    position = {vertex.id: i for i, group in enumerate(groups) for vertex in group.members}
    users: list[set[int]] = [set() for _ in groups]
    inputs: list[set[int]] = [set() for _ in groups]
    for link in snapshot.links:
        i, j = position[link.source], position[link.target]
        if i != j:
            users[i].add(j)
            inputs[j].add(i)
    leaves = {i for i, group in enumerate(groups) if all(vertex.kind != "operation" for vertex in group.members)}
    own = [sorted(i for i in inputs[j] & leaves if users[i] == {j}) for j in range(len(groups))]
    before = {  # the one link before each: what it is computed from, but for leaves of its own, if only it uses that
        j: i
        for j, group in enumerate(groups)
        for i in inputs[j] - leaves
        if users[i] == {j} and inputs[j] == {i, *own[j]} and group.members[-1] is not snapshot.loss
    }
    after = {i: j for j, i in before.items()}
    found, gone = [], set()
    for start in range(len(groups)):
        if start in leaves or start in before:
            continue
        chain = [start]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        while chain:
            period, count = _repeat([_mark(groups, i, own[i]) for i in chain])
            if count >= 3:
                parts = [k for i in chain[: period * count] for k in (*own[i], i)]
                gone.update(parts)
                members = sorted((v for k in parts for v in groups[k].members), key=lambda v: v.id)
                first, last = groups[chain[0]], groups[chain[period * count - 1]]
                pattern = [groups[i] for i in chain[:period]]
                found.append(Group(members, first.module, last.module, count, pattern))
            chain = chain[period * count if count >= 3 else 1 :]
    return _sorted(found + [group for i, group in enumerate(groups) if i not in gone])


def _mark(groups: list[Group], i: int, leaves: list[int]) -> tuple[object, ...]:
    """What two groups have in common when they are the same thing twice."""
    members = [v for j in (i, *leaves) for v in groups[j].members]
    return (groups[i].module is not None, *((v.kind, v.operation, v.shape) for v in members))


def _repeat(marks: list[tuple[object, ...]]) -> tuple[int, int]:
    """The period and the number of repetitions at the beginning of a list, those that cover most."""
    best = 1, 1
    for period in range(1, 5):
        count = 1
        while marks[period * count : period * (count + 1)] == marks[:period]:
            count += 1
        if count > 1 and period * count > best[0] * best[1]:
            best = period, count
    return best


def _folded(snapshot: Snapshot, groups: list[Group], named: bool) -> list[Group]:
    """What enters one result only joins it, if it has no name, or whatever its name; modules stay as they are."""
    at = {vertex.id: group for group in groups for vertex in group.members}
    kept = []
    for group in reversed(groups):
        own = {vertex.id for vertex in group.members}
        targets = {link.target for id in own for link in snapshot.uses_of(id)} - own
        plain = group.module is None and group.repeats == 1 and (named or all(v.name is None for v in group.members))
        into = at[targets.pop()] if plain and len(targets) == 1 else None
        if into is None or into.module is not None or into.repeats > 1:
            kept.append(group)
            continue
        into.members = sorted(into.members + group.members, key=lambda v: v.id)
        at |= dict.fromkeys(own, into)
    return _sorted(kept)


def _in_runs(groups: list[Group]) -> list[Group]:
    """A few groups of neighbours, for they may all be linked to each other; the loss stays by itself."""
    size = -(-len(groups) // RUNS)
    runs = [groups[i : i + size] for i in range(0, len(groups) - 1, size)]
    runs[-1] = [group for group in runs[-1] if group is not groups[-1]]
    return [Group([v for group in run for v in group.members]) for run in runs if run] + [groups[-1]]


def summary(members: list[Vertex]) -> str:
    """The operations of a group in the order in which they appear, with their number where there are several: `@   + (2)`."""
    counts = Counter(v.symbol for v in members if v.kind == "operation")
    return "   ".join(f"{symbol} ({count})" if count > 1 else symbol for symbol, count in counts.items())
