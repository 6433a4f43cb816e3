-- Imported diffusion rows as ML.ENERGY's compiled data set has them; what was not published is NULL.
select
    'diffusion' as domain,
    configurations.*,
    models.total_params_billions,
    models.activated_params_billions,
    cast(null as boolean) as use_torch_compile,
    '' as results_path,
    coalesce(configurations.energy_per_image_joules, configurations.energy_per_video_joules)
        as energy_per_generation_joules,
    coalesce(configurations.throughput_images_per_sec, configurations.throughput_videos_per_sec)
        as throughput_generations_per_sec
from configurations
inner join models on configurations.model_id = models.model_id
where configurations.architecture = 'diffusion'
