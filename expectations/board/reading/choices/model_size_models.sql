-- The models of that family: minimum-energy configurations in BF16.
with featured as (
    {{ model_size_family | indent(4) }}
)

select *
from marts.model_size_scaling
where
    data_source = {{ data_source }} and weight_precision = 'bfloat16' and parameter_use is not null
    and (task, family, gpu_model) in (
        select (featured.task, featured.family, featured.gpu_model) from featured
    )
qualify row_number() over (partition by model_id order by energy_per_output_joules) = 1
