-- One task on one GPU model: the four models below where the source has them, else the four with most
-- batch sizes.
with preferred as (
    select
        unnest(
            ['Qwen 3 8B', 'Llama 3.1 70B Instruct', 'Qwen 3 235B A22B Instruct', 'Llama 3.1 405B Instruct']
        )
            as nickname,
        unnest([1, 2, 4, 8]) as num_gpus
),

featured as (
    {{ gpu_with_most_models | indent(4) }}
),

points as (
    select
        leaderboard.*,
        preferred.nickname is not null as is_preferred,
        count(*) over (
            partition by
                leaderboard.nickname,
                leaderboard.num_gpus,
                leaderboard.comparability_id,
                leaderboard.weight_precision
        ) as batch_sizes
    from marts.leaderboard
    left join preferred
        on leaderboard.nickname = preferred.nickname and leaderboard.num_gpus = preferred.num_gpus
    where
        leaderboard.data_source = {{ data_source }} and leaderboard.task = 'lm-arena-chat'
        and leaderboard.gpu_model in (select featured.gpu_model from featured)
        and leaderboard.is_current_revision and leaderboard.energy_per_output_joules is not null
),

-- One series per model: its best-covered number of GPUs.
series as (
    select
        nickname,
        num_gpus,
        comparability_id,
        weight_precision
    from points
    group by nickname, num_gpus, comparability_id, weight_precision
    qualify
        row_number() over (
            partition by nickname
            order by bool_or(is_preferred) desc, max(batch_sizes) desc, num_gpus, comparability_id asc
        ) = 1
    order by bool_or(is_preferred) desc, max(batch_sizes) desc, nickname
    limit 4
)

select
    points.nickname,
    points.gpu_model,
    points.num_gpus,
    points.batch_size,
    points.energy_per_output_joules as energy_per_token_joules,
    points.throughput_per_watt
from points
inner join series using (nickname, num_gpus, comparability_id, weight_precision)
order by points.nickname, points.batch_size
