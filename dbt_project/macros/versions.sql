{# The place of a version among others, to sort and compare by. 0.9.1 comes before 0.10, and 0.10rc1 before
   0.10: versions compare as lists of numbers, then pre-releases come first, then as text. Text after a + is a
   local label: a hash in it that contains 1a2 does not make it a pre-release. #}
{% macro version_order(version) -%}
    row(
        list_transform(
            string_split(regexp_extract(split_part({{ version }}, '+', 1), '^[0-9.]*[0-9]'), '.'),
            lambda part: try_cast(part as bigint)
        ),
        not regexp_matches(split_part({{ version }}, '+', 1), '[0-9](a|b|rc|[.]dev)[0-9]'),
        {{ version }}
    )
{%- endmacro %}

{# Two rows per pair, the later and the earlier: `measured_id` is the row of the leaderboard. #}
{% macro both_versions(pairs, other_id='old_leaderboard_id', is_one='is_later_version') -%}
    select *, leaderboard_id as measured_id, true as {{ is_one }} from {{ pairs }}
    union all
    select *, {{ other_id }} as measured_id, false as {{ is_one }} from {{ pairs }}
{%- endmacro %}

{# A version without the hash of the environment variables that a server was given:
   `0.26.0+environment.1f2e` is `0.26.0`. What else was added to the usual start stays in it, such as
   `+config.2c1d`. NULL stays NULL: compare with `is not distinct from`. #}
{% macro without_environment(version) -%}
    {{ without_hash(version, 'environment') }}
{%- endmacro %}

{# The same without the hash of a label: `config` for the options of the server that a person gave. #}
{% macro without_hash(version, label) -%}
    regexp_replace(
        regexp_replace({{ version }}, '[+]{{ label }}[.][0-9a-f]+[.]', '+'), '[+.]{{ label }}[.][0-9a-f]+', ''
    )
{%- endmacro %}

{# What a version says of how the server was started: `0.26.0+cu128+config.2c1d.sleep` gives
   `config.2c1d.sleep`, a server that was started as usual gives an empty text. `cu128` is of the release. #}
{% macro how_started(version) -%}
    regexp_extract({{ version }}, '{{ start_label() }}', 1)
{%- endmacro %}

{# The release itself: `0.26.0+cu128` of that version. #}
{% macro release_of(version) -%}
    regexp_replace({{ version }}, '{{ start_label() }}', '')
{%- endmacro %}

{% macro start_label() -%}
    {%- set hashed = '(config|environment)[.][0-9a-f]+' -%}
    [+]((({{ hashed }})|endpoint|sleep)([.](({{ hashed }})|sleep))*)$
{%- endmacro %}
