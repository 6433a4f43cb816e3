-- Pairs whose servers had different environment variables, and those of each that the other did not have.
-- Which GPU a server was given is in such a variable as well.
with pairs as (
    select *
    from marts.precision_comparison
    where
        data_source = {{ data_source }} and architecture <> 'diffusion' and parallelism_matches
        and weights <> 'dummy' and energy_change is not null and latency_change is not null
        and not environment_matches
),

variables as (
    select
        leaderboard_id,
        list_transform(
            list_filter(json_keys(server_environment), lambda name: name <> 'CUDA_VISIBLE_DEVICES'),
            lambda name: name || '=' || json_extract_string(server_environment, '$."' || name || '"')
        ) as given
    from marts.row_evidence
),

both_given as (
    select
        pairs.nickname,
        pairs.task,
        pairs.gpu_model,
        pairs.num_gpus,
        fp8.given as fp8_given,
        bf16.given as bf16_given
    from pairs
    inner join variables as fp8 on pairs.fp8_leaderboard_id = fp8.leaderboard_id
    inner join variables as bf16 on pairs.bf16_leaderboard_id = bf16.leaderboard_id
),

differing as (
    select
        *,
        array_to_string(
            list_sort(list_filter(fp8_given, lambda each: not list_contains(bf16_given, each))), ', '
        ) as fp8_variables,
        array_to_string(
            list_sort(list_filter(bf16_given, lambda each: not list_contains(fp8_given, each))), ', '
        ) as bf16_variables
    from both_given
)

select
    nickname,
    task,
    gpu_model,
    num_gpus,
    fp8_variables,
    bf16_variables,
    count(*) as pairs
from differing
group by all
order by
    pairs desc, nickname asc, task asc, gpu_model asc, num_gpus asc, fp8_variables asc, bf16_variables asc
