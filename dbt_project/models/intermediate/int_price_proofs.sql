with windows as (

    select * from {{ ref('int_priced_windows') }}

),

predictions as (

    select * from {{ ref('int_price_predictions') }}

),

fitted_gpus as (

    select distinct
        price_list_id,
        gpu_uuids
    from {{ ref('int_price_fits') }}

),

loads as (

    select
        predictions.price_list_id,
        windows.load_id,
        windows.data_source,
        {{ identity_columns('windows') }},
        cast(count(*) as integer) as runs,
        string_agg(windows.run_id, ', ' order by windows.run_id) as run_ids,
        max(windows.finished_at) as last_measured_at,
        fitted_gpus.gpu_uuids is not null as is_on_fitted_gpus,
        bool_and(predictions.is_within_measured) as is_within_measured,
        avg(predictions.mean_in_flight) as mean_in_flight,
        avg(predictions.mean_context_tokens) as mean_context_tokens,
        sum(windows.energy_joules) as measured_joules,
        sum(predictions.predicted_joules) as predicted_joules,
        cast(sum(windows.output_tokens) as bigint) as output_tokens
    from predictions
    inner join windows using (run_id)
    left join fitted_gpus
        on predictions.price_list_id = fitted_gpus.price_list_id and windows.gpu_uuids = fitted_gpus.gpu_uuids
    group by all

)

select
    *,
    predicted_joules / measured_joules - 1 as error,
    {{ hash_of(['price_list_id', 'load_id', 'is_on_fitted_gpus']) }} as proof_id
from loads
