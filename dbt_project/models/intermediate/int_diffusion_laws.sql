with terms as (

    select * from {{ ref('int_diffusion_law_terms') }}

),

proofs as (

    select * from {{ ref('int_diffusion_law_proofs') }}

),

points as (

    select * from {{ ref('int_generated_points') }}

),

laws as (

    select distinct on (family_id, law) * exclude (term, value, value_low, value_high, unit)
    from terms

),

errors as (

    select
        proofs.family_id,
        proofs.law,
        cast(count(*) as integer) as tested_points,
        median(abs(proofs.predicted_joules / points.energy_per_output_joules - 1)) as held_out_median_error,
        max(abs(proofs.predicted_joules / points.energy_per_output_joules - 1)) as held_out_largest_error
    from proofs
    inner join points using (point_id)
    where proofs.is_within_others
    group by proofs.family_id, proofs.law

),

tested as (

    select
        laws.*,
        {{ hash_of(['family_id', 'law']) }} as law_id,
        coalesce(errors.tested_points, 0) as tested_points,
        errors.held_out_median_error,
        errors.held_out_largest_error,
        coalesce(
            errors.tested_points >= {{ var('fewest_law_proofs') }}
            and errors.held_out_largest_error <= {{ var('most_law_error') }},
            false
        ) as is_proven
    from laws
    left join errors using (family_id, law)

)

-- Of the laws that come within a tenth of a percent of the smallest error, the one with the fewest terms.
select
    *,
    is_proven and row_number() over (
        partition by family_id, is_proven
        order by
            held_out_largest_error <= least_error + {{ var('same_law_error') }} desc,
            terms asc,
            held_out_largest_error asc,
            law asc
    ) = 1 as is_best
from (
    select
        *,
        min(held_out_largest_error) over (partition by family_id, is_proven) as least_error
    from tested
) as compared
