-- FP8 / BF16 - 1 of pairs with the same model, task, GPU model, number of GPUs, batch size and parallelism.
-- Of published rows, bucket 8-16 holds batch size 16 only, and the largest ends at 256, as the published
-- table does. The upper of two middle values is the median. Dummy weights say nothing here: in FP8 they are
-- 5 to 17 % too cheap, in BF16 hardly.
select
    batch_size_bucket as bucket,
    count(*) as pairs,
    count(*) filter (fp8_wins_energy) as energy_wins,
    list_sort(list(energy_change))[count(*) // 2 + 1] as energy_median,
    min(energy_change) as energy_low,
    max(energy_change) as energy_high,
    count(*) filter (fp8_wins_latency) as latency_wins,
    list_sort(list(latency_change))[count(*) // 2 + 1] as latency_median,
    min(latency_change) as latency_low,
    max(latency_change) as latency_high
from marts.precision_comparison
where
    data_source = {{ data_source }} and architecture <> 'diffusion' and parallelism_matches
    and weights <> 'dummy' and energy_change is not null and latency_change is not null
    and (data_source <> 'mlenergy-v3' or batch_size between 9 and 256)
group by batch_size_bucket
order by min(batch_size)
