// Activepieces' Instagram piece: lists the Pages as its form does, and runs both of its actions.
"use strict";
const { instagramBusiness } = require("@activepieces/piece-instagram-business");

const { TOKEN, PICTURE, VIDEO } = process.env;

async function main() {
  const { upload_photo: photo, upload_reel: reel } = instagramBusiness.actions();
  const auth = { access_token: TOKEN };
  const { options } = await photo.props.page.options({ auth });
  const page = options[0].value;
  const pages = options.map((option) => option.label);
  const first = await photo.run({ auth, propsValue: { page, caption: "A photo", photo: PICTURE } });
  const second = await reel.run({ auth, propsValue: { page, caption: "A reel", video: VIDEO } });
  console.log(JSON.stringify({ pages, photo: first.id, reel: second.id }));
}

main();
