select
    objective,
    ttft_percentile,
    ttft_ceiling_ms,
    itl_percentile,
    itl_ceiling_ms,
    source as objective_source
from {{ source('jouleboard', 'catalog_objectives') }}
