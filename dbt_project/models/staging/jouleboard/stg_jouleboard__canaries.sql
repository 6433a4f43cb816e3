select
    kind,
    model_id,
    task,
    batch_size,
    margin
from {{ source('jouleboard', 'catalog_canaries') }}
