-- Of each post, the metrics that were read last. Posts of which none were read yet come last.
SELECT posts.conn_id, posts.post_caption, posts.post_url, latest.age,
  COALESCE(latest.reel_views, latest.picture_views, latest.carousel_views, latest.story_views) AS views,
  COALESCE(latest.reel_reach, latest.picture_reach, latest.carousel_reach, latest.story_reach) AS reach,
  latest.like_count, latest.comment_count
FROM instagram_posts AS posts
LEFT JOIN (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY post_id ORDER BY age_seconds DESC) AS place
  FROM instagram_post_snapshots WHERE status = 'read'
) AS latest ON latest.post_id = posts.post_id AND latest.place = 1
WHERE posts.created_timestamp >= '{{ macros.ds_add(dag_run.run_after | ds, -7) }}'
ORDER BY views DESC NULLS LAST
LIMIT 200
