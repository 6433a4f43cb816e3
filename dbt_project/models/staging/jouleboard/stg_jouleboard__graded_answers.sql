select
    run_id,
    request_index,
    is_right,
    output_tokens
from {{ source('jouleboard', 'graded_answers') }}
