with changes as (

    -- Without a common GPU the difference would be that of the GPUs, so there is no change.
    select
        * exclude (metric)
        replace (
            case when on_same_gpus is not false then change end as change,
            case when on_same_gpus is not false then change_half_width end as change_half_width
        )
    from {{ ref('int_runtime_version_changes') }}
    where metric = 'energy'

),

confirmations as (

    select * from {{ ref('int_release_confirmations') }}

),

judged as (

    select
        changes.*,
        confirmations.rerun_servers,
        confirmations.old_rerun_servers,
        coalesce(confirmations.is_candidate, false) as is_candidate,
        {{ change_verdict('changes.change', 'changes.change_half_width') }} as verdict,
        case
            when confirmations.rerun_change is null then 'not rerun'
            when confirmations.is_confirmed and sign(confirmations.rerun_change) = sign(changes.change)
                then 'confirmed'
            else 'not confirmed'
        end as rerun_result
    from changes
    left join confirmations using (leaderboard_id, old_leaderboard_id)

),

steps as (

    select
        * exclude (rerun_result),
        -- What no interval shows cannot be confirmed.
        case
            when rerun_result = 'confirmed' and verdict not in ('better', 'worse') then 'not confirmed'
            else rerun_result
        end as confirmation,
        row_number() over (partition by leaderboard_id order by on_same_gpus is false, versions_back) = 1
            as is_against_previous,
        row_number() over (partition by leaderboard_id order by versions_back desc) = 1 as is_against_first
    from judged

)

select * from steps
