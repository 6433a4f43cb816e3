// What the widget and the tab share. No build: Airflow loads them as modules and shares its own React.
// Text from data becomes text nodes, never markup.

export const { createElement: h, useEffect, useState } = globalThis.React;

export const REFRESH_MILLISECONDS = 30_000;

export const BORDER = "1px solid var(--chakra-colors-border-emphasized, #8884)";
export const SOFT = { color: "var(--chakra-colors-fg-muted, #888)" };
export const LINK = { color: "var(--chakra-colors-fg-info, #2b6cb0)" };
export const ERROR = { color: "var(--chakra-colors-fg-error, #d1242f)", overflowWrap: "anywhere" };
export const BOX = { border: BORDER, borderRadius: 6, padding: 14 };

/** An address in Airflow's UI, which may run below a path. */
export const page = (path) => new URL(path, document.baseURI).href;
export const runPage = (dagId, runId) => page(`dags/${dagId}/runs/${encodeURIComponent(runId)}`);
export const shortTime = (iso) => iso.slice(0, 16).replace("T", " ") + " UTC";

/** What our application answers now and every half a minute; `{loading}` or `{problem}` instead. */
export function useAnswer(address) {
  const [answer, setAnswer] = useState({ loading: true });
  useEffect(() => {
    let gone = false;
    const ask = () =>
      fetch(address, { credentials: "same-origin" })
        .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`${response.status}`))))
        .then((json) => gone || setAnswer(json))
        .catch((error) => gone || setAnswer({ problem: `not available: ${error.message}` }));
    ask();
    const timer = setInterval(ask, REFRESH_MILLISECONDS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [address]);
  return answer;
}
