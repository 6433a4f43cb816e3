select
    run_id,
    prefill_tokens,
    prefill_pairs,
    idle_seconds
from {{ source('jouleboard', 'window_work') }}
