-- The first of these families.
with families as (
    {{ model_size_families | indent(4) }}
)

select
    task,
    family,
    gpu_model
from families
where choice_number = 1
