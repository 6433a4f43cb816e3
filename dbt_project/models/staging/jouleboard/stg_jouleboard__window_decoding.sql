select
    run_id,
    answers_in_flight,
    decode_tokens,
    context_tokens
from {{ source('jouleboard', 'window_decoding') }}
