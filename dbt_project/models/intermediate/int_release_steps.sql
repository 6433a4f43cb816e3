with changes as (

    -- Without a common GPU the difference would be that of the GPUs, so there is no change.
    select
        * exclude (metric)
        replace (
            {{ no_change_without_common_gpus() }}
        )
    from {{ ref('int_runtime_version_changes') }}
    where metric = 'energy'

),

confirmations as (

    select * from {{ ref('int_release_confirmations') }}

),

contests as (

    select * from {{ ref('stg_jouleboard__contests') }}

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
        end as reruns_say
    from changes
    left join confirmations using (leaderboard_id, old_leaderboard_id)

),

ranked as (

    select
        * exclude (reruns_say),
        -- What no interval shows cannot be confirmed.
        case
            when reruns_say = 'confirmed' and verdict not in ('better', 'worse') then 'not confirmed'
            else reruns_say
        end as rerun_result,
        row_number() over (partition by leaderboard_id order by on_same_gpus is false, versions_back) = 1
            as is_against_previous,
        row_number() over (partition by leaderboard_id order by versions_back desc) = 1 as is_against_first
    from judged

),

steps as (

    select
        ranked.*,
        case when contests.contested_by is null then ranked.rerun_result else 'contested' end as confirmation,
        contests.contested_by,
        contests.contested_at,
        contests.contest_note
    from ranked
    left join contests
        on
            ranked.leaderboard_id = contests.leaderboard_id
            and ranked.old_runtime_version = contests.previous_runtime_version

)

select * from steps
