{% set numbers = [
    'views', 'reach', 'likes', 'comments', 'saved', 'shares', 'total_interactions', 'follows', 'profile_visits',
    'profile_activity', 'reposts', 'avg_watch_time_ms', 'total_watch_time_ms', 'skip_rate_percent', 'navigation', 'replies',
] %}

with ranked as (
    select
        *,
        max(case when status = 'gone' then 1 else 0 end) over (partition by post_id) as is_gone,
        row_number() over (
            partition by post_id
            -- numbers first, however old; else what was found last
            order by case when status = 'read' then 0 else 1 end, age_seconds desc
        ) as place
    from {{ ref('instagram_post_numbers') }}
)

select
    posts.post_id,
    posts.user_id,
    posts.username,
    posts.conn_id,
    case
        when posts.media_product_type = 'STORY' then 'story'
        when posts.media_product_type = 'REELS' then 'reel'
        when posts.media_type = 'CAROUSEL_ALBUM' then 'carousel'
        else 'picture'
    end as kind,
    posts.created_timestamp,
    posts.post_caption,
    posts.post_url,
    posts.post_key,
    posts.dag_id,
    posts.calendar,
    coalesce(latest.status, 'not_due') as numbers_status,
    coalesce(latest.is_gone, 0) = 1 as is_deleted,
    case when latest.status = 'read' then latest.age end as numbers_age,
    case when latest.status = 'read' then latest.age_seconds end as numbers_age_seconds,
    case when latest.status = 'read' then latest.snapshot_timestamp end as numbers_timestamp,
    {%- for number in numbers %}
    latest.{{ number }},
    {%- endfor %}
    1.0 * latest.total_interactions / nullif(latest.reach, 0) as engagement_rate
from {{ source('instagram', 'instagram_posts') }} as posts
left join ranked as latest on latest.post_id = posts.post_id and latest.place = 1
