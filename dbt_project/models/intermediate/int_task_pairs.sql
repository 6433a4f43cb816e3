with tasks as (

    select * from {{ ref('stg_jouleboard__tasks') }}

),

pairs as (

    select
        task,
        input_media,
        unnest(reference_tasks) as reference_task
    from tasks

)

select
    pairs.task,
    pairs.reference_task,
    pairs.input_media,
    tasks.input_media as reference_input_media
from pairs
inner join tasks on pairs.reference_task = tasks.task
