/* Where the boxes of a graph stand, from left to right: a rank for each box, an order within each rank that crosses few
   edges, then heights that straighten the edges while each module keeps a rectangle of its own.

   boxes: [{id, w, h, group: ["encoder", "encoder.0"]}], the groups from the outermost in; edges: [{from, to, room}] by id,
   where room is the width of what is written on the edge.
   The answer: {width, height, boxes: {id: {x, y}}, edges: [[[x, y], ...], ...], groups: {path: {x, y, w, h}}}. */
function layout(boxes, edges) {
  const RANK_GAP = 58,
    GAP = 12,
    PAD = 10,
    MARGIN = 11, // a sign may stand on the corner of a box
    TITLE = 18;
  const items = new Map(boxes.map((box) => [box.id, { ...box, in: [], out: [], leaf: true }]));
  for (const edge of edges) items.get(edge.to).leaf = false;

  // -- ranks: a result comes after all that it is made of; a leaf stands just before its first use
  const targets = new Map(boxes.map((box) => [box.id, []]));
  for (const edge of edges) targets.get(edge.from).push(edge.to);
  const waiting = new Map(boxes.map((box) => [box.id, 0]));
  for (const edge of edges) waiting.set(edge.to, waiting.get(edge.to) + 1);
  const queue = boxes.filter((box) => !waiting.get(box.id)).map((box) => box.id);
  for (const box of items.values()) box.rank = 0;
  for (let k = 0; k < queue.length; k++) {
    const box = items.get(queue[k]);
    for (const to of targets.get(box.id)) {
      const target = items.get(to);
      target.rank = Math.max(target.rank, box.rank + 1);
      waiting.set(to, waiting.get(to) - 1);
      if (!waiting.get(to)) queue.push(to);
    }
  }
  for (const box of items.values()) {
    const uses = targets.get(box.id);
    if (box.leaf && uses.length) box.rank = Math.min(...uses.map((to) => items.get(to).rank)) - 1;
  }
  const last = Math.max(0, ...[...items.values()].map((box) => box.rank));
  const ranks = Array.from({ length: last + 1 }, () => []);
  for (const box of items.values()) ranks[box.rank].push(box);

  // -- an edge that skips ranks, and a module that has nothing in one of its ranks, keep their room with a knot
  const knot = (rank, group, h) => {
    const made = { id: null, w: 0, h, group, rank, in: [], out: [], knot: true };
    ranks[rank].push(made);
    return made;
  };
  const join = (a, b) => {
    a.out.push(b);
    b.in.push(a);
  };
  const routes = edges.map((edge) => {
    const from = items.get(edge.from),
      to = items.get(edge.to),
      route = [from];
    const shared = from.group.filter((path) => to.group.includes(path));
    for (let rank = from.rank + 1; rank < to.rank; rank++) route.push(knot(rank, shared, 6));
    route.push(to);
    for (let k = 1; k < route.length; k++) join(route[k - 1], route[k]);
    return route;
  });
  const groups = new Map();
  for (const box of items.values()) {
    box.group.forEach((path, depth) => {
      if (!groups.has(path)) groups.set(path, { path, chain: box.group.slice(0, depth + 1), first: box.rank, last: box.rank });
      const group = groups.get(path);
      group.first = Math.min(group.first, box.rank);
      group.last = Math.max(group.last, box.rank);
    });
  }
  for (const group of groups.values()) {
    for (let rank = group.first; rank <= group.last; rank++) {
      if (!ranks[rank].some((box) => box.group.includes(group.path))) knot(rank, group.chain, 0);
    }
  }

  // -- order: sweeps over the ranks; boxes of a module stay together, modules in the same order in every rank
  ranks.forEach((rank) =>
    rank.forEach((box, k) => {
      box.at = k;
    }),
  );
  const mean = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const unit = (box, depth) => box.group[depth] ?? box;
  const arranged = (members, depth, key) => {
    const units = new Map();
    for (const box of members) {
      const name = unit(box, depth);
      if (!units.has(name)) units.set(name, []);
      units.get(name).push(box);
    }
    const place = (name) => (groups.has(name) ? groups.get(name).at : undefined);
    const sorted = [...units.entries()].map(([name, inside]) => ({ name, inside, key: mean(inside.map(key)) }));
    sorted.sort((a, b) => a.key - b.key);
    const named = sorted.filter((u) => place(u.name) !== undefined).sort((a, b) => place(a.name) - place(b.name));
    return sorted
      .map((u) => (place(u.name) === undefined ? u : named.shift()))
      .flatMap((u) => (u.inside.length > 1 ? arranged(u.inside, depth + 1, key) : u.inside));
  };
  const crossings = () => {
    let count = 0;
    for (const rank of ranks) {
      const lines = rank.flatMap((box) => box.out.map((to) => [box.at, to.at]));
      for (let i = 0; i < lines.length; i++) {
        for (let j = i + 1; j < lines.length; j++) count += (lines[i][0] - lines[j][0]) * (lines[i][1] - lines[j][1]) < 0;
      }
    }
    return count;
  };
  let best = null;
  for (let sweep = 0; sweep < 12; sweep++) {
    for (const group of groups.values()) {
      group.at = mean(
        ranks.flatMap((rank) => rank.filter((box) => box.group.includes(group.path)).map((box) => box.at / rank.length)),
      );
    }
    const back = sweep % 2 === 0; // first from the loss: leaves are many, the loss is one
    for (const k of back ? [...ranks.keys()].reverse() : ranks.keys()) {
      const key = (box) => {
        const near = back ? box.out : box.in;
        return near.length ? mean(near.map((other) => other.at + 0.001 * other.in.indexOf(box))) : box.at;
      };
      ranks[k] = arranged(ranks[k], 0, key);
      ranks[k].forEach((box, place) => {
        box.at = place;
      });
    }
    const count = ranks.length > 200 ? 0 : crossings();
    if (best === null || count < best.count) best = { count, ranks: ranks.map((rank) => [...rank]) };
    if (!count) break;
  }
  best.ranks.forEach((rank, k) => {
    ranks[k] = rank;
    rank.forEach((box, place) => {
      box.at = place;
    });
  });

  // -- heights: each thing wishes to stand where its neighbours do, and must stay below what is above it
  const things = [],
    after = new Map();
  const add = (thing) => {
    things.push(thing);
    after.set(thing, []);
    return thing;
  };
  const below = (a, b, distance) => after.get(a).push([b, distance]);
  for (const rank of ranks) rank.forEach(add);
  for (const group of groups.values()) {
    group.top = add({ edge: group });
    group.bottom = add({ edge: group });
  }
  const start = (u) => (u.top ? [u.top, 0] : [u, u.h / 2]);
  const end = (u) => (u.bottom ? [u.bottom, 0] : [u, u.h / 2]);
  const chained = (box) => [...box.group.map((path) => groups.get(path)), box];
  for (const rank of ranks) {
    for (const box of rank) {
      const chain = chained(box);
      for (let k = 1; k < chain.length; k++) {
        const [top, before] = start(chain[k]),
          [bottom, behind] = end(chain[k]);
        below(chain[k - 1].top, top, before + PAD + TITLE);
        below(bottom, chain[k - 1].bottom, behind + PAD);
      }
    }
    for (let k = 1; k < rank.length; k++) {
      const above = chained(rank[k - 1]),
        under = chained(rank[k]);
      let depth = 0;
      while (above[depth] === under[depth]) depth++;
      const [a, before] = end(above[depth]),
        [b, behind] = start(under[depth]);
      below(a, b, before + behind + (rank[k - 1].knot && rank[k].knot ? 6 : GAP));
    }
  }
  const order = sortedByNeed(things, after);
  const before = new Map(things.map((thing) => [thing, []]));
  for (const thing of things) for (const [next, distance] of after.get(thing)) before.get(next).push([thing, distance]);
  for (const rank of ranks)
    rank.forEach((box, k) => {
      box.y = 60 * (k - rank.length / 2);
    });
  const pull = (a, b) => (a.knot || b.knot ? 4 : 1);
  for (const rank of ranks)
    for (const box of rank) box.weight = [...box.in, ...box.out].reduce((sum, other) => sum + pull(box, other), 0);
  const rounds = Math.min(600, Math.max(60, Math.round(60000 / things.length)));
  for (let round = 0; round < rounds; round++) {
    const wish = new Map(); // two neighbours pull each other with the same force, so that nothing drifts away
    for (const rank of ranks) {
      for (const box of rank) {
        const force = [...box.in, ...box.out].reduce(
          (sum, other) => sum + (pull(box, other) * (other.y - box.y)) / Math.max(box.weight, other.weight),
          0,
        );
        wish.set(box, box.y + 0.8 * force);
      }
    }
    const down = new Map(),
      up = new Map();
    for (const thing of order) {
      const floor = before.get(thing).map(([other, distance]) => down.get(other) + distance);
      down.set(thing, Math.max(wish.get(thing) ?? -Infinity, ...floor));
    }
    for (const thing of [...order].reverse()) {
      const ceiling = after.get(thing).map(([other, distance]) => up.get(other) - distance);
      up.set(thing, Math.min(wish.get(thing) ?? Infinity, ...ceiling));
    }
    for (const rank of ranks) for (const box of rank) box.y = (down.get(box) + up.get(box)) / 2;
  }
  for (const group of [...groups.values()].sort((a, b) => b.chain.length - a.chain.length)) {
    const inner = [...groups.values()].filter((g) => g.chain.at(-2) === group.path);
    const own = ranks.flat().filter((box) => box.group.at(-1) === group.path);
    group.y0 = Math.min(...own.map((box) => box.y - box.h / 2), ...inner.map((g) => g.y0)) - PAD - TITLE;
    group.y1 = Math.max(...own.map((box) => box.y + box.h / 2), ...inner.map((g) => g.y1)) + PAD;
  }

  // -- where everything is, from 0
  const widths = ranks.map((rank) => Math.max(0, ...rank.map((box) => box.w)));
  const gaps = ranks.map(() => RANK_GAP);
  edges.forEach((edge, k) => {
    const before = routes[k].at(-1).rank - 1;
    gaps[before] = Math.max(gaps[before], Math.min(edge.room ?? 0, 130) + 12);
  });
  const centres = [];
  widths.reduce((x, w, k) => {
    centres[k] = x + w / 2;
    return x + w + gaps[k];
  }, PAD + 4);
  const answer = { boxes: {}, groups: {}, edges: [] };
  for (const group of groups.values()) {
    const inside = [...items.values()].filter((box) => box.group.includes(group.path));
    const deeper = Math.max(...inside.map((box) => box.group.length)) - group.chain.length;
    const pad = PAD + 4 * deeper;
    const x = Math.min(...inside.map((box) => centres[box.rank] - box.w / 2)) - pad;
    const w = Math.max(...inside.map((box) => centres[box.rank] + box.w / 2)) + pad - x;
    answer.groups[group.path] = { x, y: group.y0, w, h: group.y1 - group.y0, depth: group.chain.length };
  }
  const tops = [...items.values()].map((box) => box.y - box.h / 2);
  const rise = Math.min(...tops, ...ranks.flat().map((box) => box.y), ...Object.values(answer.groups).map((g) => g.y)) - MARGIN;
  for (const rank of ranks)
    for (const box of rank) {
      box.y -= rise;
      box.x = centres[box.rank];
    }
  for (const group of Object.values(answer.groups)) group.y -= rise;
  for (const box of items.values()) answer.boxes[box.id] = { x: box.x, y: box.y };
  const port = (box, ends, k) => box.y + (k - (ends - 1) / 2) * Math.min(21, (box.h - 14) / Math.max(1, ends));
  const slots = new Map();
  const ordered = (box, side, other) => {
    const key = `${side}${box.id}`;
    if (!slots.has(key)) {
      const mine = routes.map((route, k) => [route, k]).filter(([route]) => route.at(side === "in" ? -1 : 0) === box);
      slots.set(
        key,
        mine.sort((a, b) => other(a[0]).y - other(b[0]).y || a[1] - b[1]).map(([, k]) => k),
      );
    }
    return slots.get(key);
  };
  routes.forEach((route, k) => {
    const from = route[0],
      to = route.at(-1);
    const leaving = ordered(from, "out", (r) => r[1]),
      coming = ordered(to, "in", (r) => r.at(-2));
    const line = [[from.x + from.w / 2, port(from, leaving.length, leaving.indexOf(k))]];
    for (const bend of route.slice(1, -1))
      line.push([bend.x - widths[bend.rank] / 2, bend.y], [bend.x + widths[bend.rank] / 2, bend.y]);
    line.push([to.x - to.w / 2, port(to, coming.length, coming.indexOf(k))]);
    answer.edges.push(line);
  });
  answer.width = (centres.at(-1) ?? 0) + (widths.at(-1) ?? 0) / 2 + PAD + 4;
  const bottoms = [...items.values()].map((box) => box.y + box.h / 2);
  answer.height =
    Math.max(0, ...bottoms, ...ranks.flat().map((box) => box.y), ...Object.values(answer.groups).map((g) => g.y + g.h)) +
    MARGIN;
  return answer;
}

/* The things in an order in which each comes after all that must be above it. */
function sortedByNeed(things, after) {
  const count = new Map(things.map((thing) => [thing, 0]));
  for (const thing of things) for (const [next] of after.get(thing)) count.set(next, count.get(next) + 1);
  const ready = things.filter((thing) => !count.get(thing));
  for (let k = 0; k < ready.length; k++) {
    for (const [next] of after.get(ready[k])) {
      count.set(next, count.get(next) - 1);
      if (!count.get(next)) ready.push(next);
    }
  }
  return ready;
}
