-- Each source describes its models; family and organisation come from the catalog.
with catalog as (

    select * from {{ ref('stg_jouleboard__models') }}

),

-- Whoever measures with this project's program has its catalog's models.
measured as (

    select 'jouleboard' as data_source
    union
    select distinct '{{ var("contributor_prefix") }}' || contributor
    from {{ ref('stg_jouleboard__verdicts') }}
    where contributor is not null

),

published as (

    select * from {{ ref('stg_mlenergy__models') }}

)

select
    measured.data_source,
    catalog.model_id,
    catalog.nickname,
    catalog.organisation,
    catalog.family,
    catalog.model_architecture,
    catalog.total_params_billions,
    catalog.activated_params_billions
from catalog
cross join measured
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
