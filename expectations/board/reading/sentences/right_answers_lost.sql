-- Answers that count as wrong without having been wrong, over all graded rows of a question set.
with answered as (
    {{ graded_rows | indent(4) }}
)

select
    questions_name,
    sum(answers) as answers,
    sum(unreadable_answers) as unreadable,
    sum(cut_answers) as cut
from answered
group by questions_name
order by questions_name
