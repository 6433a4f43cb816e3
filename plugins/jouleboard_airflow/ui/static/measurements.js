// The tab of a DAG (its latest runs) and of one run: sweeps, figures of the rows that they measured, and links
// to these rows on the board.

import { BORDER, BOX, ERROR, LINK, SOFT, h, page, runPage, shortTime, useAnswer } from "./parts.js";

const COLOURS = {
  success: "#1a7f3733", failed: "#d1242f33", upstream_failed: "#d1242f33", running: "#1f883d55",
  queued: "#bf870033", scheduled: "#bf870033", up_for_retry: "#bf870033",
};

const cell = (key, content, style = {}) =>
  h("td", { key, style: { borderTop: BORDER, padding: "3px 14px 3px 0", verticalAlign: "top", ...style } }, content);
const NUMBER = { textAlign: "right", fontVariantNumeric: "tabular-nums", whiteSpace: "nowrap" };

const stateLabel = (state) =>
  h("span", { style: { background: COLOURS[state] ?? "#8883", borderRadius: 4, padding: "1px 7px" } },
    state.replaceAll("_", " "));

const link = (href, text) => h("a", { href, style: LINK }, text);

const figures = (value, unit) =>
  value === null || value === undefined ? "–" : `${Number(value.toPrecision(3)).toLocaleString("en")} ${unit}`;

function duration({ started_at, ended_at }) {
  if (!started_at) return "";
  const seconds = Math.max(0, Math.round(((ended_at ? new Date(ended_at) : new Date()) - new Date(started_at)) / 1000));
  const two = (number) => `${number}`.padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

// An error that names several fields of a form has one part per field.
const errorLines = (text) =>
  text.split(" | ").map((part, index) => h("p", { key: index, style: ERROR }, part));

const sweepLine = (sweep, index) =>
  h("tr", { key: index },
    cell("title", [h("span", { key: "t" }, sweep.title), ...(sweep.error ? errorLines(sweep.error) : [])],
      { overflowWrap: "anywhere" }),
    cell("state", stateLabel(sweep.state)),
    cell("time", duration(sweep), NUMBER));

function rowLine(row, index) {
  const shown = row.published;
  const unit = shown?.output_unit;
  const latency = shown?.median_itl_ms ?? shown?.batch_latency_seconds;
  return h("tr", { key: index },
    cell("model", row.model_id, { overflowWrap: "anywhere" }),
    cell("batch", row.batch_size, NUMBER),
    ...(shown
      ? [
          cell("energy", figures(shown.energy_per_output_joules, `J/${unit}`), NUMBER),
          cell("speed", figures(shown.throughput_per_second, `${unit}s/s`), NUMBER),
          cell("latency", figures(latency, shown.median_itl_ms === null ? "s" : "ms"), NUMBER),
          cell("runs", shown.repeats, NUMBER),
          cell("link", link(row.link, "Row on the board")),
        ]
      : [h("td", { key: "none", colSpan: 5, style: { ...SOFT, borderTop: BORDER } }, "not published yet")]));
}

const heads = (...titles) =>
  h("thead", {}, h("tr", {}, ...titles.map((title, index) =>
    h("th", { key: index, style: { ...SOFT, fontWeight: "normal", textAlign: index ? "right" : "left", padding: "0 14px 2px 0" } },
      title))));

const table = (key, head, lines) =>
  h("table", { key, style: { borderCollapse: "collapse", marginTop: 8, width: "100%" } }, head, h("tbody", {}, lines));

function runSection(dagId, run) {
  const failed = run.state === "failed";
  return h("section", { key: run.run_id, style: { ...BOX, marginTop: 12 } },
    h("h2", { style: { fontWeight: "bold", overflowWrap: "anywhere" } },
      link(runPage(dagId, run.run_id), run.run_id), " ", stateLabel(run.state)),
    run.queued_at && h("p", { style: SOFT }, shortTime(run.queued_at)),
    run.estimate && h("p", {}, h("span", { style: SOFT }, "Estimate: "), run.estimate),
    run.verdict && (failed ? errorLines(run.verdict)
      : h("p", {}, h("span", { style: SOFT }, "Verdict: "), run.verdict)),
    run.state === "success" && run.rows.length > 0 && run.sweeps.length === 0 &&
      h("p", {}, "Nothing was measured: these rows are landed already. The field Force measures them again."),
    run.sweeps.length > 0 && table("sweeps", heads("Sweep", "State", "Time"), run.sweeps.map(sweepLine)),
    run.rows.length > 0 && table("rows",
      heads("Row of the leaderboard", "Batch size", "Energy", "Throughput", "Median ITL or batch latency", "Runs", ""),
      run.rows.map(rowLine)),
    run.sweeps.length + run.rows.length === 0 && h("p", { style: SOFT }, "No sweeps."));
}

function Measurements({ dagId, runId }) {
  const base = new URL(`dags/${encodeURIComponent(dagId)}`, import.meta.url).href.split("?")[0];
  const asked = runId ? `?run_id=${encodeURIComponent(runId)}` : "";
  const answer = useAnswer(base + asked);
  if (answer.loading) return h("p", { style: { padding: 14 } }, "loading…");
  if (answer.problem) return h("p", { style: { padding: 14, ...ERROR } }, answer.problem);
  const board = link(page("plugin/leaderboard"), "Leaderboard");
  const { publication, measures, measuring_dags, runs } = answer;
  const published = publication?.number ? `publication ${publication.number}` : "nothing is published yet";
  const body = !measures
    ? h("p", {}, `${dagId} measures nothing. DAGs that measure: ${measuring_dags.join(", ")}.`)
    : runs.length === 0 ? h("p", {}, `${dagId} has not run yet.`)
    : [
        answer.has_figure && h("img", {
          key: "figure", src: `${base}/figure.svg${asked}`, style: { maxWidth: "100%", borderRadius: 6, marginTop: 8 },
          alt: "Energy and throughput of these runs' rows over the batch size; the table below has the figures",
        }),
        ...runs.map((run) => runSection(dagId, run)),
      ];
  return h("div", { "data-testid": "jouleboard-measurements", style: { padding: 4, overflow: "auto", height: "100%" } },
    h("p", {}, board, h("span", { style: SOFT }, `, ${published}`)), body);
}

globalThis.AirflowPlugin = Measurements;
export default Measurements;
