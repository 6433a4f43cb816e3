with lists as (

    -- A list that misses loads which it has not seen is no price list.
    select * from {{ ref('int_price_lists') }}
    where is_proven

),

prices as (

    select * from {{ ref('int_price_fits') }}

),

models as (

    select * from {{ ref('int_models') }}

)

select
    {{ hash_of(
        ['lists.price_list_id', 'prices.component', 'prices.batch_size', 'prices.context_tokens']
    ) }} as price_id,
    lists.price_list_id,
    lists.data_source,
    coalesce(models.nickname, lists.model_id) as nickname,
    lists.model_id,
    lists.weight_precision,
    lists.gpu_model,
    lists.num_gpus,
    lists.tensor_parallel,
    lists.expert_parallel,
    lists.data_parallel,
    lists.runtime,
    lists.runtime_version,
    lists.power_limit_watts,
    lists.weights,
    lists.energy_boundary,
    lists.model_revision,
    prices.component,
    cast(prices.batch_size as integer) as batch_size,
    prices.context_tokens,
    prices.price_joules,
    prices.price_low_joules,
    prices.price_high_joules,
    prices.price_seconds,
    lists.held_out_error,
    lists.proof_loads,
    lists.gpu_uuids,
    lists.pair_gpu_uuids,
    lists.other_gpus_error,
    lists.other_gpus_loads,
    case prices.component
        when 'idle_second' then 'measured' else 'a model fitted to measurements'
    end as basis,
    lists.loads,
    lists.runs,
    lists.run_ids,
    lists.last_measured_at,
    lists.shortest_prompt_tokens,
    lists.longest_prompt_tokens,
    lists.longest_context_tokens
from prices
inner join lists using (price_list_id)
left join models on lists.model_id = models.model_id and lists.data_source = models.data_source
order by
    lists.data_source, nickname, lists.gpu_model, lists.num_gpus, lists.runtime_version, lists.price_list_id,
    prices.component, prices.batch_size, prices.context_tokens
