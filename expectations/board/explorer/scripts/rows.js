// Rows as the publication packed them (packed.py): one list per column, in the shortest of a few forms.

function unpackColumn(packed, count) {
  if (Array.isArray(packed)) return packed;
  if ("all" in packed) return new Array(count).fill(packed.all);
  if ("hex" in packed) return unpackHex(packed);
  const { values } = packed;
  if (packed.rows) return packed.rows.map((place) => values[place]);
  if (packed.runs) return packed.runs.flatMap(([place, length]) => new Array(length).fill(values[place]));
  const column = new Array(count).fill(null);
  packed.at.forEach((row, place) => { column[row] = values[place]; });
  return column;
}

function unpackHex({ hex, base64 }) {
  const digits = Array.from(atob(base64), (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return Array.from({ length: digits.length / hex }, (_, row) => digits.slice(row * hex, (row + 1) * hex));
}

// Copies of one row that was read as JSON: a browser finds a field of such objects at once, of others by hashing.
function unpackRows({ count, columns }) {
  const empty = JSON.parse(JSON.stringify(Object.fromEntries(Object.keys(columns).map((name) => [name, null]))));
  const rows = Array.from({ length: count }, () => ({ ...empty }));
  for (const [name, packed] of Object.entries(columns)) {
    const column = unpackColumn(packed, count);
    for (let row = 0; row < count; row++) rows[row][name] = column[row];
  }
  return rows;
}
