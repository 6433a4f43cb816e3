select
    task,
    display_name,
    architecture,
    output_unit,
    input_media,
    reference_tasks,
    median_itl_ceilings_ms,
    batch_latency_ceilings_seconds
from {{ source('jouleboard', 'catalog_tasks') }}
