-- Of each task and GPU model the four models below where the source has them, else the four with most batch
-- sizes. Text Conversation on the GPU model that most models were measured on is drawn first.
with preferred as (
    select
        unnest(
            ['Qwen 3 8B', 'Llama 3.1 70B Instruct', 'Qwen 3 235B A22B Instruct', 'Llama 3.1 405B Instruct']
        )
            as nickname,
        unnest([1, 2, 4, 8]) as num_gpus
),

gpus as (
    {{ gpu_models | indent(4) }}
),

points as (
    select
        leaderboard.*,
        gpus.choice_number as gpu_number,
        leaderboard.task = 'lm-arena-chat' and preferred.nickname is not null as is_preferred,
        count(*) over (
            partition by
                leaderboard.task,
                leaderboard.gpu_model,
                leaderboard.nickname,
                leaderboard.num_gpus,
                leaderboard.comparability_id,
                leaderboard.weight_precision
        ) as batch_sizes
    from marts.leaderboard
    inner join gpus on leaderboard.gpu_model = gpus.gpu_model
    left join preferred
        on leaderboard.nickname = preferred.nickname and leaderboard.num_gpus = preferred.num_gpus
    where
        leaderboard.data_source = {{ data_source }} and leaderboard.architecture <> 'diffusion'
        and leaderboard.is_current_revision and leaderboard.energy_per_output_joules is not null
        and leaderboard.acceptance_is_prescribed is not true
),

-- One series per model: its best-covered number of GPUs.
series as (
    select
        task,
        gpu_model,
        nickname,
        num_gpus,
        comparability_id,
        weight_precision,
        bool_or(is_preferred) as is_preferred,
        max(batch_sizes) as batch_sizes
    from points
    group by task, gpu_model, nickname, num_gpus, comparability_id, weight_precision
    qualify
        row_number() over (
            partition by task, gpu_model, nickname
            order by bool_or(is_preferred) desc, max(batch_sizes) desc, num_gpus, comparability_id asc
        ) = 1
),

drawn as (
    select
        *,
        sum(batch_sizes) over (partition by task, gpu_model) as all_batch_sizes
    from series
    qualify
        row_number() over (
            partition by task, gpu_model order by is_preferred desc, batch_sizes desc, nickname asc
        ) <= 4
)

select
    dense_rank() over (
        order by points.task = 'lm-arena-chat' desc, points.gpu_number asc, points.task asc
    ) as choice_number,
    points.task,
    points.nickname,
    points.gpu_model,
    points.num_gpus,
    points.batch_size,
    points.energy_per_output_joules as energy_per_token_joules,
    points.throughput_per_watt
from points
inner join drawn using (task, gpu_model, nickname, num_gpus, comparability_id, weight_precision)
where drawn.all_batch_sizes > 1
order by choice_number, points.nickname, points.batch_size
