-- G4: Model size: total/active parameters 30/3, 235/22, 8, 14, 32 B
select
    string_agg(
        printf('%g / %g', total_params_billions, activated_params_billions), ' / '
        order by total_params_billions
    )
from marts.model_size_scaling
where
    data_source = 'mlenergy-v3' and task = 'gpqa' and gpu_model = 'B200'
    and nickname in ('Qwen 3 30B A3B Thinking', 'Qwen 3 235B A22B Thinking')
