select
    run_id,
    bin_start_tokens,
    bin_end_tokens,
    responses
from {{ source('jouleboard', 'output_lengths') }}
