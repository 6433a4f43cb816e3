// The sentences above figure and table.

// How many models meet the ceilings, and which is the leanest. Returns text and elements.
function answer(choice, scope, { models, modelsMeeting, leanest, isLowest, y }) {
  const limits = limitsInWords(choice, scope);
  const meet = modelsMeeting === 1 ? "meets" : "meet";
  const start = limits.length
    ? `${modelsMeeting} of ${counted(models, "model")} ${meet} ${limits.join(" and ")}.`
    : `${counted(models, "model")}.`;
  if (!leanest) return [start, modelsMeeting ? " Their energy was not measured." : ""];
  const { factor, unit } = scope.prefix[y];
  return [
    `${start} ${limits.length ? "The leanest of them" : "The leanest"} is `,
    element("strong", {}, modelName(leanest)),
    ` on ${gpuName(leanest)}, batch size ${leanest.batch_size}: `,
    element("strong", {}, `${figures(leanest[y] * factor)}\u00a0${unit}`),
    y === ENERGY.output ? ` per ${scope.unit}.` : " per response.",
    isLowest ? "" : element("small", {}, ` (${leanest.weights} weights; rows of weights that are farther from trained ones are not counted)`),
  ];
}

function limitsInWords(choice, scope) {
  const limits = [];
  if (choice.latency !== null) {
    const ofTokens = scope.unit === "token";
    const what = ofTokens ? `${choice.percentile} ITL` : "batch latency";
    limits.push(`${what} \u2264 ${figures(choice.latency)} ${ofTokens ? "ms" : "s"}`);
  }
  if (choice.ttft !== null) limits.push(`${choice.ttftPercentile} TTFT \u2264 ${figures(choice.ttft)} ms`);
  if (choice.energy !== null) {
    const { factor, unit } = scope.prefix[ENERGY[choice.per]];
    const per = choice.per === "output" ? `/${scope.unit}` : " per response";
    limits.push(`energy \u2264 ${figures(choice.energy * factor)} ${unit}${per}`);
  }
  return limits;
}

const SAID_ONCE = {
  runtime_version: (row) => runtimeName(row),
  weight_precision: (row) => `${row.weight_precision} weights`,
  weights: (row) => `kind of weights: ${row.weights}`,
  length_control: (row) => `${row.length_control} lengths`,
  power_limit_watts: (row) => `power cap ${row.power_limit_watts} W`,
  request_set_id: (row) => row.data_source === "jouleboard" && `request set ${row.request_set_id}`,
  model_architecture: (row) => row.model_architecture,
};

// What is equal in every row is said once.
function sameForAll(scope) {
  const [first] = scope.rows;
  const said = (key) => key === "runtime_version" || isFilled(first[key]);
  const equal = Object.keys(SAID_ONCE).filter((key) => !scope.varies.has(key) && first && said(key));
  const words = equal.map((key) => SAID_ONCE[key](first)).filter(Boolean);
  return words.length ? `The same in every row: ${words.join(", ")}.` : "";
}
