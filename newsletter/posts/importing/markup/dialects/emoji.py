# ruff: noqa: RUF001 - emoji are what this table is about
"""Emoji written as names between colons, such as ``:wave:``."""

import re
from collections.abc import Iterator, Mapping

from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage

# The names of GitHub and Slack that posts use most.
EMOJI: Mapping[str, str] = dict(
    entry.split("=")
    for entry in """
    smile=😄 smiley=😃 grinning=😀 grin=😁 laughing=😆 satisfied=😆 sweat_smile=😅 joy=😂
    rofl=🤣 slightly_smiling_face=🙂 upside_down_face=🙃 wink=😉 blush=😊 innocent=😇
    heart_eyes=😍 star_struck=🤩 kissing_heart=😘 yum=😋 stuck_out_tongue=😛
    stuck_out_tongue_winking_eye=😜 zany_face=🤪 hugs=🤗 thinking=🤔 thinking_face=🤔
    zipper_mouth_face=🤐 neutral_face=😐 expressionless=😑 smirk=😏 unamused=😒 roll_eyes=🙄
    grimacing=😬 relieved=😌 pensive=😔 sleepy=😪 sleeping=😴 mask=😷 dizzy_face=😵
    exploding_head=🤯 cowboy_hat_face=🤠 partying_face=🥳 sunglasses=😎 nerd_face=🤓
    confused=😕 worried=😟 slightly_frowning_face=🙁 open_mouth=😮 flushed=😳
    pleading_face=🥺 fearful=😨 cry=😢 sob=😭 scream=😱 disappointed=😞 sweat=😓 weary=😩
    tired_face=😫 triumph=😤 rage=😡 angry=😠 skull=💀 poop=💩 hankey=💩 clown_face=🤡 ghost=👻
    alien=👽 robot=🤖 see_no_evil=🙈 hear_no_evil=🙉 speak_no_evil=🙊 sparkling_heart=💖
    heart=❤️ orange_heart=🧡 yellow_heart=💛 green_heart=💚 blue_heart=💙 purple_heart=💜
    broken_heart=💔 two_hearts=💕 100=💯 boom=💥 collision=💥 sweat_drops=💦 dash=💨 bomb=💣
    speech_balloon=💬 thought_balloon=💭 zzz=💤 wave=👋 raised_hand=✋ ok_hand=👌 v=✌️
    crossed_fingers=🤞 metal=🤘 call_me_hand=🤙 point_left=👈 point_right=👉 point_up=☝️
    point_up_2=👆 point_down=👇 +1=👍 thumbsup=👍 -1=👎 thumbsdown=👎 fist=✊ facepunch=👊
    punch=👊 clap=👏 raised_hands=🙌 open_hands=👐 handshake=🤝 pray=🙏 writing_hand=✍️
    muscle=💪 ear=👂 eyes=👀 brain=🧠 man_shrugging=🤷‍♂️ woman_shrugging=🤷‍♀️ shrug=🤷
    facepalm=🤦 bow=🙇 dog=🐶 cat=🐱 mouse=🐭 fox_face=🦊 bear=🐻 panda_face=🐼 unicorn=🦄
    monkey=🐒 penguin=🐧 bird=🐦 turtle=🐢 snake=🐍 whale=🐳 dolphin=🐬 fish=🐟 octopus=🐙
    crab=🦀 snail=🐌 butterfly=🦋 bug=🐛 ant=🐜 bee=🐝 honeybee=🐝 spider=🕷️ bouquet=💐
    cherry_blossom=🌸 rose=🌹 sunflower=🌻 blossom=🌼 tulip=🌷 seedling=🌱 evergreen_tree=🌲
    palm_tree=🌴 cactus=🌵 herb=🌿 four_leaf_clover=🍀 maple_leaf=🍁 fallen_leaf=🍂 leaves=🍃
    mushroom=🍄 apple=🍎 lemon=🍋 banana=🍌 grapes=🍇 strawberry=🍓 avocado=🥑 bread=🍞
    cheese=🧀 pizza=🍕 hamburger=🍔 taco=🌮 popcorn=🍿 cookie=🍪 birthday=🎂 cake=🍰
    chocolate_bar=🍫 candy=🍬 coffee=☕ tea=🍵 wine_glass=🍷 cocktail=🍸 beer=🍺 beers=🍻
    champagne=🍾 clinking_glasses=🥂 earth_africa=🌍 earth_americas=🌎 earth_asia=🌏
    globe_with_meridians=🌐 world_map=🗺️ house=🏠 office=🏢 rocket=🚀 airplane=✈️ car=🚗
    bike=🚲 train=🚆 ship=🚢 boat=⛵ sailboat=⛵ anchor=⚓ construction=🚧 hourglass=⌛
    watch=⌚ alarm_clock=⏰ sunny=☀️ cloud=☁️ rainbow=🌈 umbrella=☔ snowflake=❄️
    snowman=⛄ fire=🔥 droplet=💧 ocean=🌊 zap=⚡ star=⭐ star2=🌟 sparkles=✨ moon=🌙
    jack_o_lantern=🎃 christmas_tree=🎄 fireworks=🎆 balloon=🎈 tada=🎉 confetti_ball=🎊
    gift=🎁 ticket=🎫 trophy=🏆 medal_sports=🏅 1st_place_medal=🥇 soccer=⚽ basketball=🏀
    dart=🎯 video_game=🎮 game_die=🎲 art=🎨 musical_note=🎵 notes=🎶 microphone=🎤
    headphones=🎧 guitar=🎸 crown=👑 gem=💎 bell=🔔 mega=📣 loudspeaker=📢 iphone=📱 phone=☎️
    computer=💻 keyboard=⌨️ floppy_disk=💾 camera=📷 movie_camera=🎥 tv=📺 mag=🔍 bulb=💡
    books=📚 book=📖 notebook=📓 newspaper=📰 bookmark=🔖 label=🏷️ moneybag=💰 dollar=💵
    credit_card=💳 email=✉️ envelope=✉️ incoming_envelope=📨 package=📦 mailbox=📫
    pencil=📝 memo=📝 pencil2=✏️ briefcase=💼 calendar=📆 date=📅
    chart_with_upwards_trend=📈 chart_with_downwards_trend=📉 bar_chart=📊 clipboard=📋
    pushpin=📌 paperclip=📎 scissors=✂️ lock=🔒 unlock=🔓 key=🔑 hammer=🔨 wrench=🔧 gear=⚙️
    link=🔗 toolbox=🧰 microscope=🔬 telescope=🔭 pill=💊 door=🚪 warning=⚠️ no_entry=⛔
    no_entry_sign=🚫 arrow_up=⬆️ arrow_right=➡️ arrow_down=⬇️ arrow_left=⬅️ recycle=♻️
    white_check_mark=✅ heavy_check_mark=✔️ ballot_box_with_check=☑️ x=❌ question=❓
    exclamation=❗ bangbang=‼️ heavy_plus_sign=➕ infinity=♾️ checkered_flag=🏁
    triangular_flag_on_post=🚩 rainbow_flag=🏳️‍🌈 information_source=ℹ️ new=🆕 free=🆓
    cool=🆒 ok=🆗 sos=🆘 copyright=©️ tm=™️ lobster=🦞
    """.split()
)
_NAME = r"[a-z0-9_+-]{1,40}"
# One name or several without a space between them; not a time, a path or a part of a word.
EMOJI_NAMES = re.compile(rf"(?<![\w:/.=\"'#&-])(?::{_NAME}:){{1,20}}(?![\w:/])")


def replace_emoji(text: str) -> str:
    """Return plain text with the emoji in place of their names."""

    def replace(found: re.Match[str]) -> str:
        names = found[0].strip(":").split("::")
        return "".join(EMOJI[name] for name in names) if set(names) <= EMOJI.keys() else found[0]

    return EMOJI_NAMES.sub(replace, text)


def translate_emoji(page: MarkupPage) -> Iterator[Edit]:
    """Yield the edits for all names in the table; others stay."""
    for found in EMOJI_NAMES.finditer(page.text):
        emoji = replace_emoji(found[0])
        if found.start() not in page.protected and emoji != found[0]:
            yield Edit(*found.span(), emoji, "emoji name, now the emoji")
