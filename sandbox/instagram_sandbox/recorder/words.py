"""The words of the Graph API, which name nobody: names of parameters, fields, edges and metrics, and their values.

A recording keeps these words and no other. Source: what the sandbox serves, which follows Meta's
references.
"""

from __future__ import annotations

from typing import Final

from instagram_sandbox.http.endpoints import ENDPOINTS, NOT_SERVED
from instagram_sandbox.http.fields import MODIFIERS
from instagram_sandbox.simulator import breakdowns, insights, parameters, scopes, webhooks

_OTHERS: Final = """
about Accepted access_denied account account_type action actions active add_on ADVERTISE age_range ANALYZE API app_id
app_scoped_id application as audience audio audio_id audio_type audio_volume authorization authorization_code authorize
batch bearer bio biography birthday blame_field_specs body boost_ads_list boost_eligibility_info breakdowns BUSINESS
business business_id bytes_transferred call_count callback_url CAROUSEL CAROUSEL_ALBUM category_list changed channels
child client client_credentials client_id client_secret code comment comment_enabled comments_count complete completed
components config config_id connected_instagram_account container container_id content content_length
copyright_check_information copyright_check_status cover cover_artwork_thumbnail_uri cover_artwork_thumbnail_url create
CREATE_CONTENT created_time creation_id css current_live_viewer_count cursors data data_access_expiration_time
data_access_expires_at day days_28 debug_info Declined DELETE delete denied_scopes DENY detail dialog dimension_keys
dimension_values display_artist disposition download_failed download_url duration duration_in_ms edit_lists emails
end_time entries ERROR error error_data error_description error_message error_reason error_subcode error_type
error_user_msg error_user_title errors estimated_time_to_regain_access exchange_code exchange_token expiration_timestamp
EXPIRED expired_version expires_at expires_in facebook facebook_token false fan_count fault fb_exchange_token fbtrace_id
FEED file_size file_url FINISHED finished first_name followers_count follows_count form-data from GET
graduation_strategy grant_type granted granted_scopes granular_scopes GraphMethodException has_poll has_profile_pic
has_slider HEAD headers hidden hometown hours ids ig-api-upload ig_exchange_token ig_id ig_refresh_token ig_username
IGApiException IGAudio IGComment IGUser IMAGE image IN_PROGRESS in_progress index input_token inspected instagram
instagram_business_account instagram_login invite_status is_comment_enabled is_published is_shared_to_feed is_silhouette
is_transient is_valid issued_at javascript journal jpeg json last_name latitude legacy_instagram_comment_id
legacy_instagram_media_id legacy_instagram_user_id length lifetime like_count link location login longitude MANAGE
MANUAL match matches_found me media_audio_type media_count MEDIA_CREATOR media_list media_url message messenger
metric_type middle_name milliseconds MODERATE moderate multipart music name_format next not_started NotAuthorizedError
OAuth oauth OAuthException object octet-stream offset OffsetInvalidError ok omit_response_on_success online_followers
option_a option_a_votes_percentage option_b option_b_votes_percentage option_c option_c_votes_percentage option_d
option_d_votes_percentage OPTIONS origin owner PAGE page page_id paging params parent_id PartialRequestError PATCH
Pending pending permalink permission PERSONAL phase phase_error phone PHOTO plain post posts previous processing
processing_phase ProcessingFailedError profile_picture_url publish PUBLISHED publishing_phase PUT quota_duration
quota_total quota_usage R rate_limit_settings redirect_uri redirects reel REELS referer refresh relative_url
reposts_count response_type results resumable retriable samples saved_count scope scopes search_query
ShadowIGMediaBuilder shares_count short_name shortcode should_loop_audio source_file_size SS_PERFORMANCE state status
status_code STORIES streams subcode subscribe subscribed_fields success SYSTEM_USER T target_ids tasks thumbnail_url
time_series Timeout timestamp timezone title token token_type total_comments_count total_cputime total_like_count
total_time total_value total_views_count true unknown updated_time upload upload_phase uploading uploading_phase uri url
USER User user user_id validation value values verification_status verified verify_token version VIDEO video
video_cover_timestamp_ms video_status video_title video_volume view_count website week x x-www-form-urlencoded y
"""
"""Those that no table of the sandbox has."""
_OF_PEOPLE: Final = frozenset({"age", "city", "country"})
WORDS: Final = frozenset(_OTHERS.split()).union(
    *(one.edge.split("/") for one in ENDPOINTS),
    *(NOT_SERVED, MODIFIERS, webhooks.OF_ACCOUNT, webhooks.OF_PAGE),
    *MODIFIERS.values(),
    *scopes.SCOPES.values(),
    *(insights.METRICS, insights.OF_ACCOUNT, insights.RETIRED, breakdowns.DEMOGRAPHIC),
    *(
        breakdowns.VALUES,
        *(breakdowns.VALUES[name] for name in breakdowns.VALUES if name not in _OF_PEOPLE),
    ),
    *(parameters.PLACES, parameters.OF_FACEBOOK, parameters.REFUSED, parameters.GLOBAL),
)
