select
    run_id,
    sent_seconds,
    ttft_ms,
    tpot_ms
from {{ source('jouleboard', 'request_latencies') }}
