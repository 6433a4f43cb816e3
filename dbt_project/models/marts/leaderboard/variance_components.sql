with components as (

    select * from {{ ref('int_variance_components') }}

)

select
    {{ hash_of(['data_source', 'gpu_model', 'architecture', 'source']) }} as component_id,
    data_source,
    gpu_model,
    architecture,
    source,
    {{ source_position('source') }} as source_position,
    relative_size,
    relative_size_low,
    relative_size_high,
    degrees_of_freedom,
    compared,
    included_in
from components
order by data_source, gpu_model, architecture, source_position
