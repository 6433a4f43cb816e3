select
    model_id,
    nickname,
    organisation,
    family,
    architecture as model_architecture,
    total_params_billions,
    activated_params_billions,
    weight_precision,
    kind
from {{ source('jouleboard', 'catalog_models') }}
