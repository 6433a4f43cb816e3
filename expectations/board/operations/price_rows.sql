select * from marts.energy_prices
where data_source = 'jouleboard'
order by nickname, gpu_model, num_gpus, runtime_version, price_list_id, component, batch_size, context_tokens
