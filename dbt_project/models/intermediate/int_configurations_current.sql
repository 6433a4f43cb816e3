select * from {{ ref('int_configurations_averaged') }}
where is_current_revision
