select
    run_id,
    cast(accepted as boolean) as is_accepted,
    nullif(reasons, '') as reasons,
    signed_by,
    contributor
from {{ source('jouleboard', 'verdicts') }}
