-- Graded rows of current revisions; a question set is named without its revision, its hash and its choices.
select
    *,
    regexp_replace(
        regexp_replace(request_set_id, '-[^-]+-[0-9a-f]{8}([+].*)?$', ''), '^prompts[.]', ''
    ) as questions_name
from marts.joules_per_correct_answer
where data_source = {{ data_source }} and is_current_revision
