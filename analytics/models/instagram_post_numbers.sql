select
    post_id,
    age,
    age_seconds,
    status,
    due_timestamp,
    snapshot_timestamp,
    coalesce(reel_views, video_photo_views, carousel_album_views, story_views) as views,
    coalesce(reel_reach, video_photo_reach, carousel_album_reach, story_reach) as reach,
    like_count as likes,
    comment_count as comments,
    coalesce(reel_saved, video_photo_saved, carousel_album_saved) as saved,
    coalesce(reel_shares, video_photo_shares, carousel_album_shares, story_shares) as shares,
    coalesce(
        reel_total_interactions,
        video_photo_total_interactions,
        carousel_album_total_interactions,
        story_total_interactions
    ) as total_interactions,
    coalesce(video_photo_follows, carousel_album_follows, story_follows) as follows,
    coalesce(video_photo_profile_visits, carousel_album_profile_visits, story_profile_visits) as profile_visits,
    coalesce(video_photo_profile_activity, carousel_album_profile_activity) as profile_activity,
    coalesce(reel_reposts, video_photo_reposts, carousel_album_reposts, story_reposts) as reposts,
    reel_avg_watch_time as avg_watch_time_ms,
    reel_video_view_total_time as total_watch_time_ms,
    reel_skip_rate as skip_rate_percent,
    story_navigation as navigation,
    story_replies as replies
from {{ source('instagram', 'instagram_post_snapshots') }}
