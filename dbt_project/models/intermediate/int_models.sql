-- Each source describes its models; family and organisation come from the catalog.
with catalog as (

    select * from {{ ref('stg_jouleboard__models') }}

),

published as (

    select * from {{ ref('stg_mlenergy__models') }}

)

select
    'jouleboard' as data_source,
    model_id,
    nickname,
    organisation,
    family,
    model_architecture,
    total_params_billions,
    activated_params_billions
from catalog
union all
select
    'mlenergy-v3' as data_source,
    published.model_id,
    published.nickname,
    catalog.organisation,
    catalog.family,
    published.model_architecture,
    published.total_params_billions,
    published.activated_params_billions
from published
left join catalog using (model_id)
